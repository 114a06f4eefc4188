"""The parts that all dialects are made of: events, HTTP heads, masks, text and close codes. No input or output."""
