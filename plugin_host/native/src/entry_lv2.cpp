// The LV2 plugin's way in. MIT.
#include "DistrhoPluginMain.cpp"
