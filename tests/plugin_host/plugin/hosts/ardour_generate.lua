ardour { ["type"] = "EditorAction", name = "Segue plays" }
function factory () return function ()
	local proc = Session:route_by_name ("guitar"):nth_plugin (0)
	local plugin, control = proc:to_insert ():plugin (0), 0
	for i = 0, plugin:parameter_count () - 1 do
		if plugin:parameter_is_control (i) then
			local _, told = plugin:get_parameter_descriptor (i, ARDOUR.ParameterDescriptor ())
			if told[2].label == "Generate" then ARDOUR.LuaAPI.set_processor_param (proc, control, 1) end
			control = control + 1
		end
	end
end end
