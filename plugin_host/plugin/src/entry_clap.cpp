// Entry of the CLAP plugin: the framework's, extended by song position, loop and render mode. MIT.
//
// The framework's source calls `setTimePosition` once a block, with the block in `process`; a macro of that name
// passes our time on first. If the framework changes, this does not compile.
#include "plugin.cpp"

#include "src/DistrhoPluginInternal.hpp"
#include "src/clap/entry.h"
#include "src/clap/plugin-factory.h"
#include "src/clap/events.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "host_time.hpp"

namespace segue {

static SEGUE_THREAD_LOCAL double rate_of_block = 48000;

static double beats_of(clap_beattime time) { return static_cast<double>(time) / CLAP_BEATTIME_FACTOR; }

static const DISTRHO_NAMESPACE::TimePosition& noted(const DISTRHO_NAMESPACE::TimePosition& reported,
                                                    const clap_process_t* process) {
    const clap_event_transport_t* at = process->transport;
    HostTime time;
    time.offline = host_time_of_block.offline;
    time.valid = at != nullptr;
    if (at) {
        time.playing = at->flags & CLAP_TRANSPORT_IS_PLAYING;
        time.recording = at->flags & CLAP_TRANSPORT_IS_RECORDING;
        if (at->flags & CLAP_TRANSPORT_HAS_TEMPO) time.tempo_bpm = at->tempo;
        if (at->flags & CLAP_TRANSPORT_HAS_TIME_SIGNATURE) {
            time.numerator = at->tsig_num;
            time.denominator = at->tsig_denom;
        }
        time.has_beats = at->flags & CLAP_TRANSPORT_HAS_BEATS_TIMELINE;
        time.beats = beats_of(at->song_pos_beats);
        time.bar_beats = beats_of(at->bar_start);
        const double seconds = (at->flags & CLAP_TRANSPORT_HAS_SECONDS_TIMELINE)
                                   ? static_cast<double>(at->song_pos_seconds) / CLAP_SECTIME_FACTOR
                                   : time.beats * 60 / (time.tempo_bpm > 0 ? time.tempo_bpm : 120);
        time.position_samples = static_cast<int64_t>(std::floor(seconds * rate_of_block + 0.5));
        time.looping = at->flags & CLAP_TRANSPORT_IS_LOOP_ACTIVE;
        time.loop_start_beats = beats_of(at->loop_start_beats);
        time.loop_end_beats = beats_of(at->loop_end_beats);
    }
    host_time_of_block = time;
    return reported;
}

}  // namespace segue

#define setTimePosition(reported) setTimePosition(segue::noted(reported, process))
#define clap_entry clap_entry_of_framework
#include "DistrhoPluginMain.cpp"
#undef clap_entry
#undef setTimePosition

namespace segue {

// The framework's plugin with our additions behind it; the framework frees it as one block of malloc.
struct Wrapped {
    clap_plugin_t plugin;
    bool (*activate)(const clap_plugin_t*, double, uint32_t, uint32_t);
    clap_process_status (*process)(const clap_plugin_t*, const clap_process_t*);
    const void* (*get_extension)(const clap_plugin_t*, const char*);
    std::atomic<bool> offline;
    double rate;
};

static Wrapped* wrapped(const clap_plugin_t* plugin) {
    return reinterpret_cast<Wrapped*>(const_cast<clap_plugin_t*>(plugin));
}

// clap/ext/render.h, which the framework does not contain.
struct Render {
    bool (CLAP_ABI* has_hard_realtime_requirement)(const clap_plugin_t*);
    bool (CLAP_ABI* set)(const clap_plugin_t*, int32_t mode);
};
static bool CLAP_ABI not_hard(const clap_plugin_t*) { return false; }
static bool CLAP_ABI set_mode(const clap_plugin_t* plugin, int32_t mode) {
    wrapped(plugin)->offline = mode == 1;
    return true;
}
static const Render render = {not_hard, set_mode};

static bool CLAP_ABI activate(const clap_plugin_t* plugin, double rate, uint32_t least, uint32_t most) {
    wrapped(plugin)->rate = rate;
    return wrapped(plugin)->activate(plugin, rate, least, most);
}

// Notify the host of parameters set by messages: the framework does this in VST3 and LV2 only.
static void tell_turned(const clap_plugin_t* plugin, const clap_output_events_t* events) {
    const uint64_t turned = events && turned_of_block ? turned_of_block->exchange(0, std::memory_order_relaxed) : 0;
    if (!turned) return;
    const void* extension = wrapped(plugin)->get_extension(plugin, CLAP_EXT_PARAMS);
    for (uint32_t i = 0; i < p_count; ++i) {
        if (!(turned & uint64_t(1) << i)) continue;
        clap_event_param_value_t event{};
        event.header = {sizeof event, 0, CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, CLAP_EVENT_IS_LIVE};
        event.param_id = i;
        event.note_id = event.port_index = event.channel = event.key = -1;
        static_cast<const clap_plugin_params_t*>(extension)->get_value(plugin, i, &event.value);
        events->try_push(events, &event.header);
    }
}

static clap_process_status CLAP_ABI process(const clap_plugin_t* plugin, const clap_process_t* block) {
    rate_of_block = wrapped(plugin)->rate;
    host_time_of_block.offline = wrapped(plugin)->offline;
    turned_of_block = nullptr;
    const clap_process_status done = wrapped(plugin)->process(plugin, block);
    tell_turned(plugin, block->out_events);
    return done;
}

static const void* CLAP_ABI get_extension(const clap_plugin_t* plugin, const char* id) {
    return std::strcmp(id, "clap.render") == 0 ? &render : wrapped(plugin)->get_extension(plugin, id);
}

static const clap_plugin_factory_t* framework_factory() {
    const void* factory = DISTRHO_NAMESPACE::clap_plugin_entry.get_factory(CLAP_PLUGIN_FACTORY_ID);
    return static_cast<const clap_plugin_factory_t*>(factory);
}

static uint32_t CLAP_ABI count(const clap_plugin_factory_t*) { return 1; }
static const clap_plugin_descriptor_t* CLAP_ABI descriptor(const clap_plugin_factory_t*, uint32_t index) {
    return framework_factory()->get_plugin_descriptor(framework_factory(), index);
}
static const clap_plugin_t* CLAP_ABI create(const clap_plugin_factory_t*, const clap_host_t* host, const char* id) {
    const clap_plugin_t* made = framework_factory()->create_plugin(framework_factory(), host, id);
    void* room = made ? std::malloc(sizeof(Wrapped)) : nullptr;
    if (!room) return made;
    auto* whole = new (room) Wrapped{*made, made->activate, made->process, made->get_extension, {false}, 48000};
    std::free(const_cast<clap_plugin_t*>(made));
    whole->plugin.activate = activate;
    whole->plugin.process = process;
    whole->plugin.get_extension = get_extension;
    return &whole->plugin;
}
static const clap_plugin_factory_t factory = {count, descriptor, create};

static const void* CLAP_ABI get_factory(const char* id) {
    return std::strcmp(id, CLAP_PLUGIN_FACTORY_ID) == 0 ? &factory : nullptr;
}

}  // namespace segue

extern "C" DISTRHO_PLUGIN_EXPORT const clap_plugin_entry_t clap_entry;
const clap_plugin_entry_t clap_entry = {CLAP_VERSION, DISTRHO_NAMESPACE::clap_plugin_entry_init,
                                        DISTRHO_NAMESPACE::clap_plugin_entry_deinit, segue::get_factory};
