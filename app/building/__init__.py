"""How a generation is made: the project as a plan, its tables in DuckDB, the Parquet copies."""
