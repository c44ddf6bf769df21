ardour {
	["type"] = "EditorAction",
	name = "Segue: send selected regions",
	author = "Segue",
	license = "MIT",
	description = [[Sends each selected audio region to `segue watch`, with its tempo, time signature and position.
When the takes or stems are made, "Segue: import takes" puts them on new tracks. "Segue: settings" sets what to make.]]
}

-- Ardour stores only the code inside factory().
function factory () return function ()
local INBOX = "~/Segue"
local PORT = "9610"
local ADDRESS = "/segue/take"
local STEMS = "/segue/stems"

	local function tell (text)
		LuaDialog.Message ("Segue", text, LuaDialog.MessageType.Info, LuaDialog.ButtonType.Close):run ()
	end

	-- role, bars, takes, prompt, lanes, variations: lines name=value written by "Segue: settings"
	local function settings ()
		local found = { role = "continue", bars = "0", takes = "1", prompt = "", lanes = "", variations = "4" }
		local file = io.open (INBOX .. "/ardour-settings.txt", "r")
		if file then
			for line in file:lines () do
				local name, value = line:match ("^(%w+)=(.*)$")
				if name then found[name] = value end
			end
			file:close ()
		end
		return found
	end

	local function free_path (name)
		local stem = name:gsub ("[^%w%-]+", "-")
		for number = 1, 9999 do
			local path = INBOX .. "/sent/" .. stem .. (number > 1 and "-" .. number or "") .. ".wav"
			local taken = io.open (path, "rb")
			if not taken then return path end
			taken:close ()
		end
	end

	-- write the region as it sounds as a 32-bit float WAV, at the session's rate
	local function write_wav (path, region, rate)
		local reader = region:to_readable ()
		local frames, channels = reader:readable_length (), math.min (reader:n_channels (), 2)
		local bytes = frames * channels * 4
		local file = io.open (path, "wb")
		if not file then return false end
		file:write (string.pack ("<c4I4c4c4I4I2I2I4I4I2I2c4I4", "RIFF", 36 + bytes, "WAVE", "fmt ", 16,
			3, channels, rate, rate * channels * 4, channels * 4, 32, "data", bytes))
		local size = 8192
		local memory = {}
		for channel = 1, channels do memory[channel] = ARDOUR.DSP.DspShm (size) end
		local form = string.rep ("f", channels)
		local position = 0
		while position < frames do
			local count = math.min (size, frames - position)
			local columns = {}
			for channel = 1, channels do
				reader:read (memory[channel]:to_float (0), position, count, channel - 1)
				columns[channel] = memory[channel]:to_float (0):get_table (count)
			end
			local parts = {}
			for i = 1, count do
				if channels == 1 then
					parts[i] = string.pack ("<f", columns[1][i])
				else
					parts[i] = string.pack ("<ff", columns[1][i], columns[2][i])
				end
			end
			file:write (table.concat (parts))
			position = position + count
		end
		file:close ()
		return true
	end

	local sign = io.open (INBOX .. "/watching.txt", "r")
	if not sign then
		tell ("Nobody watches " .. INBOX .. ".\nStart `segue watch` first.")
		return
	end
	sign:close ()

	local wish, rate = settings (), math.floor (Session:nominal_sample_rate ())
	local tempi = Temporal.TempoMap.read ()
	local to = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. PORT)
	local sent = 0
	for r in Editor:get_selection ().regions:regionlist ():iter () do
		local region = r:to_audioregion ()
		if not region:isnil () then
			local place = r:position ()
			local whole, ticks = tostring (tempi:quarters_at (place)):match ("^(%d+):(%d+)")
			local beats = whole + ticks / Temporal.ticks_per_beat
			local meter = tempi:meter_at (place)
			local path = free_path (r:name ())
			if not write_wav (path, region, rate) then
				tell (path .. " cannot be written.")
				return
			end
			sent = sent + 1
			local bpm = tempi:quarters_per_minute_at (place) -- of the song at the region, and therefore of the region
			local bars = math.floor (tonumber (wish.bars) or 0)
			if wish.lanes:match ("%S") then
				to:send (STEMS, "issfsiiifiisffsf",
					sent, path, wish.role, bpm, wish.lanes, math.floor (tonumber (wish.variations) or 4),
					meter:divisions_per_bar (), meter:note_value (), beats, bars, -1, wish.prompt,
					0.0, 0.0, r:name (), bpm)
			else
				to:send (ADDRESS, "issfiifiiisffsf",
					sent, path, wish.role, bpm,
					meter:divisions_per_bar (), meter:note_value (), beats,
					bars, math.floor (tonumber (wish.takes) or 1), -1, wish.prompt,
					0.0, 0.0, r:name (), bpm)
			end
		end
	end
	tempi = nil
	if sent == 0 then
		tell ("Select one or more audio regions first.")
	end
end end
