"""OSCQuery: the message table as JSON over HTTP, for programs that list by themselves what they can control."""
