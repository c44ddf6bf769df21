ardour {
	["type"] = "EditorAction",
	name = "Segue: import takes",
	author = "Segue",
	license = "MIT",
	description = [[Imports the takes that `segue watch` has made since the last import, each on a new track, on its bar.]]
}

-- Ardour stores only the code inside factory().
function factory () return function ()
local INBOX = "~/Segue"

	local function tell (text)
		LuaDialog.Message ("Segue", text, LuaDialog.MessageType.Info, LuaDialog.ButtonType.Close):run ()
	end

	-- the number of imported lines of takes.txt, for each session by its name
	local function memory_path ()
		return INBOX .. "/imported-ardour.txt"
	end

	local known = 0
	local file = io.open (memory_path (), "r")
	if file then
		known = tonumber (file:read ("l") or "") or 0
		file:close ()
	end

	local index = io.open (INBOX .. "/takes.txt", "r")
	if not index then
		tell ("There are no takes in " .. INBOX .. " yet.")
		return
	end
	local lines = {}
	for line in index:lines () do lines[#lines + 1] = line end
	index:close ()
	if #lines <= known then
		tell ("No new takes. Is `segue watch` still at work, or did it leave an error text in " .. INBOX .. "?")
		return
	end

	for number = known + 1, #lines do
		local path, beats, own, rate = lines[number]:match ("^([^\t]+)\t([^\t]+)\t[^\t]*\t[^\t]*\t([^\t]*)\t([^\t]*)")
		if path then
			local ticks = math.floor (tonumber (beats) * Temporal.ticks_per_beat + 0.5)
			local sample = Temporal.timepos_t.from_ticks (ticks):samples ()
			-- Ardour rounds down, Segue to the nearest sample: within a sample of each other, Segue's counts
			if tonumber (rate) == Session:nominal_sample_rate () and math.abs (tonumber (own) - sample) <= 1 then
				sample = math.tointeger (tonumber (own))
			end
			local files = C.StringVector ()
			files:push_back (path)
			Editor:do_import (files,
				Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,
				ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
				Temporal.timepos_t (sample), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
		end
	end

	file = io.open (memory_path (), "w")
	if file then
		file:write (#lines, "\n")
		file:close ()
	end
end end
