"""Files of tables that people bring: CSV, Parquet, JSON, Excel, packed or not."""
