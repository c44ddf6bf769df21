ardour { ["type"] = "EditorAction", name = "Segue on the guitar, and a track that records what is heard" }
function factory () return function ()
	local guitar = Session:route_by_name ("guitar")
	local proc = ARDOUR.LuaAPI.new_plugin (Session, os.getenv ("SEGUE_TEST_PLUGIN"), ARDOUR.PluginType[os.getenv ("SEGUE_TEST_FORMAT")], "")
	guitar:add_processor_by_index (proc, 0, nil, true)
	local wanted = { Capture = 1, ["Capture bars"] = 4, Mode = 2, Bars = 4, Take = 7 }
	local plugin, control = proc:to_insert ():plugin (0), 0
	for i = 0, plugin:parameter_count () - 1 do
		if plugin:parameter_is_control (i) then
			local _, told = plugin:get_parameter_descriptor (i, ARDOUR.ParameterDescriptor ())
			local value = wanted[told[2].label]
			if value then ARDOUR.LuaAPI.set_processor_param (proc, control, value) end
			control = control + 1
		end
	end
	local heard = Session:new_audio_track (2, 2, nil, 1, "Heard", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true):front ()
	heard:mute_control ():set_value (1, PBD.GroupControlDisposition.NoGroup) -- this track only records
	for channel = 0, 1 do
		heard:input ():audio (channel):connect (guitar:output ():audio (channel):name ())
	end
	heard:rec_enable_control ():set_value (1, PBD.GroupControlDisposition.NoGroup)
	Session:request_locate (tonumber (os.getenv ("SEGUE_TEST_START")), false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI)
	Session:maybe_enable_record ()
end end
