// segue_bus.h as a library, for bridge/ring/bus.py. MIT.
#include "segue_bus.h"

#define SEGUE_PUBLIC __attribute__((visibility("default")))

SEGUE_PUBLIC int bus_watch(const void *data, size_t bytes) { return segue_bus_watch(data, bytes); }
SEGUE_PUBLIC void bus_forget(int number) { segue_bus_forget(number); }
SEGUE_PUBLIC int bus_hit(int number) { return segue_bus_hit(number); }
