ardour {
	["type"] = "EditorAction",
	name = "Segue: settings",
	author = "Segue",
	license = "MIT",
	description = [[Sets what "Segue: send selected regions" orders: continue, melody or style; bars, takes, prompt;
or stems: their lanes and variations.]]
}

-- Ardour stores only the code inside factory().
function factory () return function ()
local INBOX = "~/Segue"

	local roles = { ["Go on from the region"] = "continue", ["Follow its melody"] = "melody",
		["Sound like it"] = "style" }
	local path = INBOX .. "/ardour-settings.txt"
	local now = { role = "continue", bars = "0", takes = "1", prompt = "", lanes = "", variations = "4" }
	local file = io.open (path, "r")
	if file then
		for line in file:lines () do
			local name, value = line:match ("^(%w+)=(.*)$")
			if name then now[name] = value end
		end
		file:close ()
	end
	local shown = "Go on from the region"
	for text, role in pairs (roles) do
		if role == now.role then shown = text end
	end

	local got = LuaDialog.Dialog ("Segue: settings", {
		{ type = "dropdown", key = "role", title = "Make music to", values = roles, default = shown },
		{ type = "number", key = "bars", title = "Bars (0: as the region)", min = 0, max = 1000, step = 1, digits = 0,
			default = tonumber (now.bars) or 0 },
		{ type = "number", key = "takes", title = "Takes", min = 1, max = 20, step = 1, digits = 0,
			default = tonumber (now.takes) or 1 },
		{ type = "entry", key = "prompt", title = "In words", default = now.prompt },
		{ type = "entry", key = "lanes", title = "Stems instead of takes, like drums,bass,keys", default = now.lanes },
		{ type = "number", key = "variations", title = "Variations of the stems", min = 1, max = 32, step = 1, digits = 0,
			default = tonumber (now.variations) or 4 },
	}):run ()
	if not got then return end

	file = io.open (path, "w")
	if file then
		file:write ("role=", got.role, "\nbars=", math.floor (got.bars), "\ntakes=", math.floor (got.takes),
			"\nprompt=", (got.prompt:gsub ("%c", " ")), "\nlanes=", (got.lanes:gsub ("%c", " ")),
			"\nvariations=", math.floor (got.variations), "\n")
		file:close ()
	end
end end
