-- Ardour without a window opens a song, locates to each given sample while the test observes, and saves the song.
local folder = os.getenv ("SEGUE_TEST_FOLDER")
local signal = folder .. "/reopened"
AudioEngine:set_backend ("None (Dummy)", "", "")
local s = load_session (folder .. "/song", "song")
s:request_locate (tonumber (os.getenv ("SEGUE_TEST_AT")), false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI)
for _ = 1, 600 do
	local file = io.open (signal, "r")
	if file then file:close () break end
	ARDOUR.LuaAPI.usleep (100000)
end
s:save_state ("")
close_session ()
