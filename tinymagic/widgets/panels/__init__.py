"""What the panels look like: one view each over its model in `tinymagic.widgets.models`."""
