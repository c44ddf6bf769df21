"""The thread [control]: the server and the handlers of its messages; regions on their way in."""
