"""Your own assets, checks, jobs and sensors. Every file in this folder is loaded into the graph.

    dg scaffold defs dagster.asset revenue_forecast.py

An asset that reads one of ours names it in `deps`: `deps=[dg.AssetKey(["gold", "dim_users"])]`.
"""
