"""What is said about published endpoints, as text: formats by extension, parameters, OpenAPI, a page, an address. Pure.

=============  ====================================================================
`extensions`   ``.json`` and its like: formats and content types
`parameters`   the parameters of a Pipe, one entry for each
`types`        ClickHouse types in the words of JSON Schema
`openapi`      the OpenAPI 3.0 document
`example`      the address of a call with its defaults
`page`         the HTML page that can be shared
=============  ====================================================================
"""
