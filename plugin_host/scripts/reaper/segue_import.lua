-- Segue: import the takes that `segue watch` has made since the last import, each on a new track, on its bar.
-- REAPER: Actions > Show action list > New action > Load ReaScript. Not tested in REAPER itself; see docs/daw.md.

local INBOX = "~/Segue"
local MEMORY = INBOX .. "/imported-reaper.txt"

local function tell(text)
  reaper.ShowMessageBox(text, "Segue", 0)
end

local function lines_of(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

local function main()
  local lines = lines_of(INBOX .. "/takes.txt")
  if not lines then return tell("There are no takes in " .. INBOX .. " yet.") end
  local memory = lines_of(MEMORY)
  local known = memory and tonumber(memory[1] or "") or 0
  if #lines <= known then
    return tell("No new takes. Is `segue watch` still at work, or did it leave an error text in " .. INBOX .. "?")
  end
  local cursor = reaper.GetCursorPosition()
  reaper.Undo_BeginBlock()
  for number = known + 1, #lines do
    local path, beats = lines[number]:match("^([^\t]+)\t([^\t]+)")
    if path then
      reaper.SetEditCurPos(reaper.TimeMap2_QNToTime(0, tonumber(beats)), false, false)
      reaper.InsertMedia(path, 1) -- 1: on a new track
    end
  end
  reaper.SetEditCurPos(cursor, false, false)
  reaper.Undo_EndBlock("Segue: import takes", -1)
  local file = io.open(MEMORY, "w")
  if file then
    file:write(#lines, "\n")
    file:close()
  end
end

main()
