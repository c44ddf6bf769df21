-- Segue: send the selected items, or their part in the time selection, to `segue watch`.
-- REAPER: Actions > Show action list > New action > Load ReaScript. Not tested in REAPER itself; see docs/daw.md.
--
-- An item's own file is used if the item simply plays it (same rate, no stretch markers, not MIDI, not reversed);
-- glue other items first (Item > Glue items), which makes such a file.

local INBOX = "~/Segue"

local function tell(text)
  reaper.ShowMessageBox(text, "Segue", 0)
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function clean(text)
  return (tostring(text):gsub("%c", " "))
end

-- asks what to make; the last answers are the defaults
local function ask()
  local before = reaper.GetExtState("segue", "wish")
  if before == "" then before = "continue,0,1,," end
  if select(2, before:gsub(",", "")) < 4 then before = before .. "," end -- answers of an earlier version
  local ok, text = reaper.GetUserInputs("Segue", 5,
    "continue / melody / style,Bars (0: as the region),Takes or variations,In words (no commas),"
    .. "Stems: drums bass keys,extrawidth=120", before)
  if not ok then return nil end
  local role, bars, takes, prompt, lanes = text:match("^%s*(%a+)%s*,%s*(%d+)%s*,%s*(%d+)%s*,([^,]*),?(.*)$")
  if role ~= "continue" and role ~= "melody" and role ~= "style" then
    tell("Say continue, melody or style, then numbers for bars and takes.")
    return nil
  end
  reaper.SetExtState("segue", "wish", text, true)
  lanes = clean(lanes):gsub("^[%s,]+", ""):gsub("[%s,]+$", ""):gsub("[%s,]+", ",")
  return { role = role, bars = bars, takes = takes, prompt = clean(prompt), lanes = lanes }
end

-- the requested part of an item: all of it, or its part in the time selection; seconds of the project
local function span(item)
  local start = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local stop = start + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local from, to = reaper.GetSet_LoopTimeRange(false, false, 0, 0, false)
  if to > from then
    start, stop = math.max(start, from), math.min(stop, to)
  end
  return start, stop
end

-- path of the file that an item plays, and where the requested part begins in it; or nil and the reason
local function file_of(item, take, start)
  if reaper.TakeIsMIDI(take) then return nil, "is MIDI" end
  local source = reaper.GetMediaItemTake_Source(take)
  if reaper.GetMediaSourceParent(source) then return nil, "plays a section or backwards" end
  if math.abs(reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE") - 1) > 1e-9 then return nil, "is played at another rate" end
  if reaper.GetTakeNumStretchMarkers(take) > 0 then return nil, "has stretch markers" end
  if reaper.GetMediaItemTakeInfo_Value(take, "D_PITCH") ~= 0 then return nil, "is transposed" end
  local path = reaper.GetMediaSourceFileName(source, "")
  if path == "" or not exists(path) then return nil, "has no file yet" end
  local into = start - reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  return path, into + reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
end

local function free_path(name)
  local stem = name:gsub("[^%w%-]+", "-")
  for number = 1, 9999 do
    local path = INBOX .. "/" .. stem .. (number > 1 and "-" .. number or "") .. ".segue"
    if not exists(path) then return path end
  end
end

-- the beginning of a UTF-8 text, cut between characters
local function short(text, bytes)
  if #text <= bytes then return text end
  while bytes > 0 and text:byte(bytes + 1) >= 0x80 and text:byte(bytes + 1) < 0xC0 do bytes = bytes - 1 end
  return text:sub(1, bytes)
end

local function number(value)
  return (string.format("%.9f", value):gsub(",", "."))
end

local function send(item, wish)
  local take = reaper.GetActiveTake(item)
  if not take then return "An item has no take." end
  local name = reaper.GetTakeName(take)
  local start, stop = span(item)
  if stop - start <= 0 then return nil end
  local path, offset = file_of(item, take, start)
  if not path then return name .. " " .. offset .. ": glue it first (Item > Glue items), then send it again." end
  local numerator, denominator, bpm = reaper.TimeMap_GetTimeSigAtTime(0, start)
  local lines = {
    "path=" .. clean(path), "role=" .. wish.role, "bpm=" .. number(bpm),
    "region_bpm=" .. number(bpm), -- audio on the timeline has the song's tempo
    "numerator=" .. math.floor(numerator), "denominator=" .. math.floor(denominator),
    "start_beats=" .. number(reaper.TimeMap2_timeToQN(0, start)),
    "offset_seconds=" .. number(offset), "length_seconds=" .. number(stop - start),
    "bars=" .. wish.bars, "prompt=" .. wish.prompt, "name=" .. short(clean(name), 60),
  }
  if wish.lanes ~= "" then
    lines[#lines + 1] = "lanes=" .. wish.lanes
    lines[#lines + 1] = "variations=" .. wish.takes
  else
    lines[#lines + 1] = "takes=" .. wish.takes
  end
  local target = free_path(name ~= "" and name or "item")
  local file = io.open(target .. ".part", "wb")
  if not file then return INBOX .. " cannot be written." end
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
  os.rename(target .. ".part", target) -- complete or absent
  return nil
end

local function main()
  local count = reaper.CountSelectedMediaItems(0)
  if count == 0 then return tell("Select one or more items first.") end
  local wish = ask()
  if not wish then return end
  local problems = {}
  for i = 0, count - 1 do
    local problem = send(reaper.GetSelectedMediaItem(0, i), wish)
    if problem then problems[#problems + 1] = problem end
  end
  if not exists(INBOX .. "/watching.txt") then
    problems[#problems + 1] = "Nobody watches " .. INBOX .. " now: start `segue watch`, it makes what waits there."
  end
  if #problems > 0 then tell(table.concat(problems, "\n")) end
end

main()
