"""What goes into the language model besides tokens: text, melody, style, tempo."""
