// The plugin for the framework (DPF): parameters, state, audio blocks. MIT.
#include "DistrhoPlugin.hpp"

#include <cstring>

#include "lane_host.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr int channels = DISTRHO_PLUGIN_NUM_OUTPUTS;
#ifdef DISTRHO_PLUGIN_TARGET_LV2
constexpr int parameters = segue::p_count;  // LV2 has a port that reports rendering faster than real time
#else
constexpr int parameters = segue::p_offline;
#endif
void set_choices(Parameter& parameter, const char* choices) {
    int count = 1;
    for (const char* at = choices; *at; ++at) count += *at == '|';
    auto* values = new ParameterEnumerationValue[count];
    const char* begin = choices;
    for (int i = 0; i < count; ++i) {
        const char* end = std::strchr(begin, '|');
        values[i].value = static_cast<float>(i);
        values[i].label = std::string(begin, end ? end - begin : std::strlen(begin)).c_str();
        begin = end ? end + 1 : begin;
    }
    parameter.enumValues.count = static_cast<uint8_t>(count);
    parameter.enumValues.values = values;
    parameter.enumValues.restrictedMode = true;
}

// A word for the value that is no amount. Not in LV2: some hosts then offer that value alone.
void set_word(Parameter& parameter, const segue::Row& row) {
#ifndef DISTRHO_PLUGIN_TARGET_LV2
    auto* values = new ParameterEnumerationValue[1];
    values[0].value = row.low;
    values[0].label = row.zero;
    parameter.enumValues.count = 1;
    parameter.enumValues.values = values;
#else
    (void)parameter, (void)row;
#endif
}

}  // namespace

class SeguePlugin : public Plugin {
public:
    SeguePlugin() : Plugin(parameters, 0, segue::n_state_keys) {
        if (!isDummyInstance()) make(getSampleRate());
        setLatency(0);  // the music lies exactly on the host's timeline
    }

protected:
    const char* getLabel() const override { return "segue"; }
    const char* getDescription() const override { return "Music made to fit yours, on your beat, from the Segue engine."; }
    const char* getMaker() const override { return "Segue"; }
    const char* getLicense() const override { return "MIT"; }
    int64_t getUniqueId() const override { return d_cconst('S', 'g', 'u', channels == 1 ? 'M' : 'S'); }
    uint32_t getVersion() const override { return d_version(0, 3, 0); }

    void initAudioPort(bool input, uint32_t index, AudioPort& port) override {
        port.groupId = channels == 1 ? kPortGroupMono : kPortGroupStereo;
        Plugin::initAudioPort(input, index, port);
    }

    void initParameter(uint32_t index, Parameter& parameter) override {
        const segue::Row& row = segue::rows[index];
        parameter.symbol = row.symbol;
        parameter.name = row.name;
        parameter.unit = row.unit;
        parameter.ranges.min = row.low;
        parameter.ranges.max = row.high;
        parameter.ranges.def = row.initial;
        parameter.hints = row.shown ? kParameterIsOutput : kParameterIsAutomatable;
        if (row.kind == 'b') parameter.hints |= kParameterIsBoolean | kParameterIsInteger;
        if (row.kind == 'i' || row.kind == 'e') parameter.hints |= kParameterIsInteger;
        if (row.kind == 'e') set_choices(parameter, row.choices);
        if (row.zero) set_word(parameter, row);
    }

    float getParameterValue(uint32_t index) const override { return values_.get(static_cast<int>(index)); }
    void setParameterValue(uint32_t index, float value) override {
        if (index < static_cast<uint32_t>(parameters)) values_.set(static_cast<int>(index), value);
    }

    void initState(uint32_t index, State& state) override {
        const char* key = segue::state_keys[index];
        state.key = key;
        state.label = key;
        state.hints = std::strcmp(key, "takes") == 0 ? 0 : kStateIsOnlyForDSP;  // the window keeps takes
        state.defaultValue = "";
    }
    void setState(const char* key, const char* value) override {
        if (host_) host_->session().restore(key, value);
    }
    String getState(const char* key) const override {
        return host_ ? String(host_->session().state(key).c_str()) : String();
    }

    void activate() override {
        if (host_) host_->session().start();
    }
    void sampleRateChanged(double rate) override {
        if (!host_ || static_cast<int>(rate + 0.5) == host_->processor().sample_rate_hz()) return;
        const segue::Saved saved = host_->session().saved();
        make(rate);
        host_->session().restore_all(saved);
    }

    void run(const float** inputs, float** outputs, uint32_t frames) override {
        segue::HostTime time = segue::host_time_of_block;
        segue::host_time_of_block.valid = false;
        if (!time.valid) time = told_by_framework();
        if (parameters > segue::p_offline) time.offline = time.offline || values_.on(segue::p_offline);
        segue::turned_of_block = &turned_;
        if (host_) host_->run(inputs, outputs, static_cast<int>(frames), time);
    }

private:
    void make(double rate) {
        host_.reset();
        host_ = std::make_unique<segue::LaneHost>(values_, static_cast<int>(rate + 0.5), channels);
        host_->session().on_turned([this](int parameter, float value) {
            turned_.fetch_or(uint64_t(1) << parameter, std::memory_order_relaxed);
            return canRequestParameterValueChanges() &&
                   requestParameterValueChange(static_cast<uint32_t>(parameter), value);
        });
    }

    // LV2 and others: the framework's copy of the host's position.
    segue::HostTime told_by_framework() const {
        const TimePosition& reported = getTimePosition();
        segue::HostTime time;
        time.playing = reported.playing;
        time.position_samples = static_cast<int64_t>(reported.frame);
        if (!reported.bbt.valid) return time;
        time.tempo_bpm = reported.bbt.beatsPerMinute;
        time.numerator = static_cast<int>(reported.bbt.beatsPerBar + 0.5f);
        time.denominator = static_cast<int>(reported.bbt.beatType + 0.5f);
        const double quarter = 4.0 / (reported.bbt.beatType > 0 ? reported.bbt.beatType : 4);
        const double bar = (reported.bbt.bar - 1) * static_cast<double>(reported.bbt.beatsPerBar);
        const double ticks = reported.bbt.ticksPerBeat > 0 ? reported.bbt.tick / reported.bbt.ticksPerBeat : 0;
        time.has_beats = true;
        time.bar_beats = bar * quarter;
        time.beats = (bar + reported.bbt.beat - 1 + ticks) * quarter;
        return time;
    }

    segue::Values values_;
    std::atomic<uint64_t> turned_{0};  // bit of a parameter that a message set
    static_assert(segue::p_count <= 64, "a bit for each parameter");
    std::unique_ptr<segue::LaneHost> host_;

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(SeguePlugin)
};

Plugin* createPlugin() { return new SeguePlugin(); }

END_NAMESPACE_DISTRHO
