-- Ardour without a window: a track with the plugin, Generate on; the transport rolls while the test observes.
local folder = os.getenv ("SEGUE_TEST_FOLDER")
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

-- Do something again and again, until the test has seen its result.
local function until_step (step, act)
	for tries = 0, 4000 do
		local file = io.open (folder .. "/" .. step, "r")
		if file then file:close () return end
		if act and tries % 20 == 0 then act () end
		ARDOUR.LuaAPI.usleep (100000)
	end
	error ("the test never came to " .. step)
end

local function locate (sample)
	return function () s:request_locate (sample, false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI) end
end

local function generate (on)
	return function () set ("Generate", on) end
end

until_step ("go1") -- the engine knows the plugin
set ("Output", 1)
set ("Capture bars", 1)
set ("Capture", 1)
until_step ("go2", generate (1)) -- it plays
until_step ("rolling", function () s:request_roll (ARDOUR.TransportRequestSource.TRS_UI) end)
until_step ("go3") -- it was killed, runs again, and has the capture
s:request_stop (false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep (500000)
s:save_state ("")
set ("Level", -3)
until_step ("go4", generate (0)) -- it has stopped
until_step ("go5", locate (480000)) -- it stands there
until_step ("go6", generate (1)) -- another take, the same capture
s:save_state ("")
until_step ("go7", generate (0))
until_step ("go8", locate (82000))
until_step ("go9", generate (1)) -- from bar 1 on
s:save_state ("")
close_session ()
