"""What a scan leaves behind: tables, overlay, summary."""
