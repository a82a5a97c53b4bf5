"""The incident board (Streamlit): reads the log's current-state tables, writes requests to topic `conditions`."""
