"""wsgateway: lets every WebSocket client ever made talk to a modern backend."""
