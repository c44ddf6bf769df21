"""The client of the engine: calls, replies, lane sessions, and the engine as a child process."""
