// The LV2 plugin's way in. MIT.
#include "plugin.cpp"
#include "DistrhoPluginMain.cpp"
