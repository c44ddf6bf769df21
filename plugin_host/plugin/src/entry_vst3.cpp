// Entry of the VST3 plugin: the framework's, extended by the host's times that the framework omits. MIT.
//
// The framework's source calls `setTimePosition` once a block, with the block in `data`; a macro of that name passes
// our time on first. If the framework changes, this does not compile.
#include "plugin.cpp"

#include "src/DistrhoPluginInternal.hpp"
#include "src/travesty/audio_processor.h"

#include "host_time.hpp"

namespace segue {

static const DISTRHO_NAMESPACE::TimePosition& noted(const DISTRHO_NAMESPACE::TimePosition& reported,
                                                    const v3_process_data* data) {
    const v3_process_context* at = data->ctx;
    HostTime time;
    time.valid = true;
    time.offline = data->process_mode == V3_OFFLINE;
    time.playing = at->state & V3_PROCESS_CTX_PLAYING;
    time.recording = at->state & V3_PROCESS_CTX_RECORDING;
    time.position_samples = at->project_time_in_samples;
    if (at->state & V3_PROCESS_CTX_TEMPO_VALID) time.tempo_bpm = at->bpm;
    if (at->state & V3_PROCESS_CTX_TIME_SIG_VALID) {
        time.numerator = at->time_sig_numerator;
        time.denominator = at->time_sig_denom;
    }
    time.has_beats = at->state & V3_PROCESS_CTX_PROJECT_TIME_VALID;  // the header's name for quarter notes
    time.beats = at->project_time_quarters;
    if (at->state & V3_PROCESS_CTX_BAR_POSITION_VALID) time.bar_beats = at->bar_position_quarters;
    time.looping = (at->state & V3_PROCESS_CTX_CYCLE_ACTIVE) && (at->state & V3_PROCESS_CTX_CYCLE_VALID);
    time.loop_start_beats = at->cycle_start_quarters;
    time.loop_end_beats = at->cycle_end_quarters;
    host_time_of_block = time;
    return reported;
}

}  // namespace segue

#define setTimePosition(reported) setTimePosition(segue::noted(reported, data))
#include "DistrhoPluginMain.cpp"
