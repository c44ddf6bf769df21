{
 "patcher": {
  "fileversion": 1,
  "appversion": {
   "major": 8,
   "minor": 6,
   "revision": 0,
   "architecture": "x64",
   "modernui": 1
  },
  "classnamespace": "box",
  "rect": [
   80.0,
   80.0,
   1100.0,
   570.0
  ],
  "openinpresentation": 0,
  "boxes": [
   {
    "box": {
     "id": "obj-1",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      30.0,
      235.0,
      22.0
     ],
     "text": "segue.lane: One stream of music"
    }
   },
   {
    "box": {
     "id": "obj-2",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      60.0,
      613.0,
      22.0
     ],
     "text": "Prompt, play, stop, mute, references and parameters of a lane. What changes the sound"
    }
   },
   {
    "box": {
     "id": "obj-3",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      90.0,
      445.0,
      22.0
     ],
     "text": "takes a place: now, beat, bar, 'bars 4', 'bar 12', or a beat."
    }
   },
   {
    "box": {
     "id": "obj-4",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      120.0,
      340.0,
      22.0
     ],
     "text": "argument: lane (0): number of the lane, from 0"
    }
   },
   {
    "box": {
     "id": "obj-5",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      150.0,
      137.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "segue.client 9600"
    }
   },
   {
    "box": {
     "id": "obj-6",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      180.0,
      158.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prompt \"lo-fi piano\""
    }
   },
   {
    "box": {
     "id": "obj-7",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      180.0,
      445.0,
      22.0
     ],
     "text": "a description of the music; write spaces as your program does"
    }
   },
   {
    "box": {
     "id": "obj-8",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      210.0,
      270.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "region continue /path/riff.wav 120 0"
    }
   },
   {
    "box": {
     "id": "obj-9",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      300.0,
      210.0,
      445.0,
      22.0
     ],
     "text": "music to continue: role, file, its tempo (0: found), its beat"
    }
   },
   {
    "box": {
     "id": "obj-10",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      240.0,
      95.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "play bar 16"
    }
   },
   {
    "box": {
     "id": "obj-11",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      125.0,
      240.0,
      263.0,
      22.0
     ],
     "text": "sixteen bars from the next bar line"
    }
   },
   {
    "box": {
     "id": "obj-12",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      270.0,
      186.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "set temperature 1.2 beat"
    }
   },
   {
    "box": {
     "id": "obj-13",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      216.0,
      270.0,
      235.0,
      22.0
     ],
     "text": "a parameter, from the next beat"
    }
   },
   {
    "box": {
     "id": "obj-14",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      300.0,
      102.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "mute 1 bar 4"
    }
   },
   {
    "box": {
     "id": "obj-15",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      132.0,
      300.0,
      172.0,
      22.0
     ],
     "text": "silence for four beats"
    }
   },
   {
    "box": {
     "id": "obj-16",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      330.0,
      158.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "preset night-bus bar"
    }
   },
   {
    "box": {
     "id": "obj-17",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      330.0,
      74.0,
      22.0
     ],
     "text": "a preset"
    }
   },
   {
    "box": {
     "id": "obj-18",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      360.0,
      144.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "clear continue bar"
    }
   },
   {
    "box": {
     "id": "obj-19",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      174.0,
      360.0,
      165.0,
      22.0
     ],
     "text": "take a reference away"
    }
   },
   {
    "box": {
     "id": "obj-20",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      390.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "stop bar"
    }
   },
   {
    "box": {
     "id": "obj-21",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      104.0,
      390.0,
      67.0,
      22.0
     ],
     "text": "the end"
    }
   },
   {
    "box": {
     "id": "obj-22",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      420.0,
      102.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "segue.lane 0"
    }
   },
   {
    "box": {
     "id": "obj-23",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      450.0,
      102.0,
      22.0
     ],
     "text": "print lane-1"
    }
   },
   {
    "box": {
     "id": "obj-24",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      132.0,
      450.0,
      795.0,
      22.0
     ],
     "text": "outlet 1: state, prompt, parameter, time, levels, ring, pending, event, heard, late, region, guard; with values"
    }
   },
   {
    "box": {
     "id": "obj-25",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      480.0,
      102.0,
      22.0
     ],
     "text": "print lane-2"
    }
   },
   {
    "box": {
     "id": "obj-26",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      132.0,
      480.0,
      445.0,
      22.0
     ],
     "text": "outlet 2: bar and beat, from 0, at the moment when they sound"
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "source": [
      "obj-6",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-8",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-10",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-12",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-14",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-16",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-18",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-20",
      0
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-22",
      0
     ],
     "destination": [
      "obj-23",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-22",
      1
     ],
     "destination": [
      "obj-25",
      0
     ]
    }
   }
  ],
  "dependency_cache": [],
  "autosave": 0
 }
}
