"""ClickHouse types <-> tables. Pure: bytes and frames in, frames and bytes out; no I/O, no network.

| module | question it answers |
|---|---|
| `types` | what does this type name mean? (`syntax` reads it, `families` know the types) |
| `decode` | which DataFrame is this reply? (`json_wire`, `parquet_wire`; the same frame from both) |
| `results` | as what does it come? (`pandas_results`, `numpy_dtypes`, `arrow_results`, `polars_results`) |
| `encode` | which bytes and which schema is this DataFrame? (`schema`, `encode`) |

Nothing is imported here: pandas costs half a second, and pyarrow is needed for Parquet only.
"""
