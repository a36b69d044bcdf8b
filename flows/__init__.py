"""The map: what runs when. Prefect loads each file by its path; nothing is defined here."""
