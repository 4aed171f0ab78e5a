"""What several tests need: bronze without the loader, dbt in this process."""
