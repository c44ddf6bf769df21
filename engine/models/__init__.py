"""Loading of models by name, the embedded model, devices."""
