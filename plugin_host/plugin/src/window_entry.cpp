// Entry of the window in a format: the framework's. MIT.
#include "DistrhoUIMain.cpp"
