"""The thread [control]: the server and its message handlers; reading of regions."""
