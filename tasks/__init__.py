"""The policy of each stage: retries, caching, artifacts and the catalog. One file a stage; each task one domain call."""
