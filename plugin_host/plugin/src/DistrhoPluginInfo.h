// Description of the plugin for the framework. MIT.
#pragma once

#define DISTRHO_PLUGIN_BRAND "Segue"
#define DISTRHO_PLUGIN_BRAND_ID Sgue
#ifdef SEGUE_MONO
#define DISTRHO_PLUGIN_NAME "Segue mono"
#define DISTRHO_PLUGIN_URI "urn:segue:plugin:mono"
#define DISTRHO_PLUGIN_CLAP_ID "org.segue.plugin.mono"
#define DISTRHO_PLUGIN_UNIQUE_ID SguM
#define DISTRHO_PLUGIN_NUM_INPUTS 1
#define DISTRHO_PLUGIN_NUM_OUTPUTS 1
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "mono"
#else
#define DISTRHO_PLUGIN_NAME "Segue"
#define DISTRHO_PLUGIN_URI "urn:segue:plugin"
#define DISTRHO_PLUGIN_CLAP_ID "org.segue.plugin"
#define DISTRHO_PLUGIN_UNIQUE_ID SguS
#define DISTRHO_PLUGIN_NUM_INPUTS 2
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "stereo"
#endif

#define DISTRHO_PLUGIN_HAS_UI 0
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_IS_SYNTH 0
#define DISTRHO_PLUGIN_WANT_LATENCY 1
#define DISTRHO_PLUGIN_WANT_PARAMETER_VALUE_CHANGE_REQUEST 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1
#define DISTRHO_PLUGIN_WANT_TIMEPOS 1
#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:GeneratorPlugin"
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Generator"
