-- Ardour without a window: a track with the plugin, Generate on; the transport rolls while the test observes.
local folder, signal = os.getenv ("SEGUE_TEST_FOLDER"), os.getenv ("SEGUE_TEST_FOLDER") .. "/go"
AudioEngine:set_backend ("None (Dummy)", "", "")
local s = create_session (folder .. "/song", "song", 48000)
local tempo = Temporal.TempoMap.fetch_writable ()
tempo:set_tempo (Temporal.Tempo (137.5, 137.5, 4), Temporal.timepos_t (0))
Temporal.TempoMap.update (tempo)
tempo = nil
local track = s:new_audio_track (2, 2, nil, 1, "Segue", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true):front ()
local proc = ARDOUR.LuaAPI.new_plugin (s, os.getenv ("SEGUE_TEST_PLUGIN"), ARDOUR.PluginType[os.getenv ("SEGUE_TEST_FORMAT")], "")
track:add_processor_by_index (proc, 0, nil, true)
track:output ():audio (0):connect ("Master/audio_in 1")
track:output ():audio (1):connect ("Master/audio_in 2")

local function set (label, value)
	local plugin, control = proc:to_insert ():plugin (0), 0
	for i = 0, plugin:parameter_count () - 1 do
		if plugin:parameter_is_control (i) then
			local _, told = plugin:get_parameter_descriptor (i, ARDOUR.ParameterDescriptor ())
			if told[2].label == label then ARDOUR.LuaAPI.set_processor_param (proc, control, value) end
			control = control + 1
		end
	end
end

-- Wait until the test marks a step as done.
local function until_step (number)
	for _ = 1, 600 do
		local file = io.open (signal .. number, "r")
		if file then file:close () return end
		ARDOUR.LuaAPI.usleep (100000)
	end
end

until_step (1) -- the engine knows the plugin
set ("Output", 1)
set ("Generate", 1)
set ("Capture bars", 1)
set ("Capture", 1)
until_step (2) -- it plays
s:request_roll (ARDOUR.TransportRequestSource.TRS_UI)
until_step (3) -- it was killed, runs again, and has the capture
s:request_stop (false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep (500000)
s:save_state ("")
set ("Level", -3)
set ("Generate", 0)
ARDOUR.LuaAPI.usleep (500000)
s:request_locate (480000, false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI)
set ("Generate", 1)
ARDOUR.LuaAPI.usleep (1000000)
s:save_state ("") -- another take, the same capture
s:request_locate (82000, false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI)
set ("Generate", 0)
ARDOUR.LuaAPI.usleep (500000)
set ("Generate", 1) -- from bar 1 on
ARDOUR.LuaAPI.usleep (1000000)
s:save_state ("")
close_session ()
