"""What every dialect is made of: events, HTTP heads, masks, text and close codes. No input or output."""
