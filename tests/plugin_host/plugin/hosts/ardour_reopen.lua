-- Ardour without a window opens a song, locates to each given sample while the test observes, and saves the song.
local folder = os.getenv ("SEGUE_TEST_FOLDER")
local signal = folder .. "/reopened"
AudioEngine:set_backend ("None (Dummy)", "", "")
local s = load_session (folder .. "/song", "song")
for tries = 0, 4000 do
	local located, file = io.open (folder .. "/located", "r"), io.open (signal, "r")
	if located then located:close () end
	if file then file:close () break end
	if not located and tries % 20 == 0 then
		s:request_locate (tonumber (os.getenv ("SEGUE_TEST_AT")), false, ARDOUR.LocateTransportDisposition.MustStop, ARDOUR.TransportRequestSource.TRS_UI)
	end
	ARDOUR.LuaAPI.usleep (100000)
end
s:save_state ("")
close_session ()
