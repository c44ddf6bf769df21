"""State that clients subscribe to: collected, compared with what each was sent, and sent.  [feed]"""
