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
   1200.0,
   900.0
  ],
  "openinpresentation": 1,
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
      375.0,
      22.0
     ],
     "text": "Segue: start segue engine and segue host, then play",
     "presentation": 1,
     "presentation_rect": [
      24.0,
      30.0,
      375.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-2",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      60.0,
      102.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "segue.client"
    }
   },
   {
    "box": {
     "id": "obj-3",
     "maxclass": "toggle",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      90.0,
      24.0,
      24.0
     ],
     "outlettype": [
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      90.0,
      24.0,
      24.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-4",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      90.0,
      90.0,
      179.0,
      22.0
     ],
     "text": "lit: the engine answers",
     "presentation": 1,
     "presentation_rect": [
      90.0,
      90.0,
      179.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-5",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      24.0,
      120.0,
      260.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      120.0,
      260.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-6",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      120.0,
      151.0,
      22.0
     ],
     "text": "prompt, then Return",
     "presentation": 1,
     "presentation_rect": [
      188.0,
      120.0,
      151.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-7",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      150.0,
      88.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-8",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      180.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-9",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      210.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend prompt"
    }
   },
   {
    "box": {
     "id": "obj-10",
     "maxclass": "umenu",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      24.0,
      270.0,
      160.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      ""
     ],
     "items": [
      "answer-me",
      ",",
      "night-bus",
      ",",
      "out-on-a-limb",
      ",",
      "peak-hour",
      ",",
      "porch",
      ",",
      "same-but-new",
      ",",
      "slow-tide",
      ",",
      "straight-on",
      ",",
      "arcade",
      ",",
      "blue-smoke",
      ",",
      "brass-band",
      ",",
      "chamber",
      ",",
      "drum-room",
      ",",
      "dub-cellar",
      ",",
      "evening-shore",
      ",",
      "garage-band",
      ",",
      "head-nod",
      ",",
      "in-the-pocket",
      ",",
      "laid-back",
      ",",
      "low-end",
      ",",
      "morning-radio",
      ",",
      "neon-rain",
      ",",
      "six-strings",
      ",",
      "squeezebox",
      ",",
      "string-bed",
      ",",
      "synth-lead",
      ",",
      "upright",
      ",",
      "warehouse"
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      270.0,
      160.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-11",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      300.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend preset"
    }
   },
   {
    "box": {
     "id": "obj-12",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      146.0,
      300.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "play bar",
     "presentation": 1,
     "presentation_rect": [
      146.0,
      300.0,
      74.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-13",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      226.0,
      300.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "stop bar",
     "presentation": 1,
     "presentation_rect": [
      226.0,
      300.0,
      74.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-14",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      306.0,
      300.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "mute 1",
     "presentation": 1,
     "presentation_rect": [
      306.0,
      300.0,
      60.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-15",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      372.0,
      300.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "mute 0",
     "presentation": 1,
     "presentation_rect": [
      372.0,
      300.0,
      60.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-16",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      438.0,
      300.0,
      88.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "reseed bar",
     "presentation": 1,
     "presentation_rect": [
      438.0,
      300.0,
      88.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-17",
     "maxclass": "slider",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      330.0,
      140.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "floatoutput": 1,
     "size": 1.0,
     "min": 0.0,
     "orientation": 1,
     "presentation": 1,
     "presentation_rect": [
      24.0,
      330.0,
      140.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-18",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      330.0,
      95.0,
      22.0
     ],
     "text": "temperature",
     "presentation": 1,
     "presentation_rect": [
      188.0,
      330.0,
      95.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-19",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      420.0,
      179.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set temperature"
    }
   },
   {
    "box": {
     "id": "obj-20",
     "maxclass": "slider",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      360.0,
      140.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "floatoutput": 1,
     "size": 1.0,
     "min": 0.0,
     "orientation": 1,
     "presentation": 1,
     "presentation_rect": [
      24.0,
      360.0,
      140.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-21",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      360.0,
      39.0,
      22.0
     ],
     "text": "cfg",
     "presentation": 1,
     "presentation_rect": [
      188.0,
      360.0,
      39.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-22",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      209.0,
      420.0,
      123.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set cfg"
    }
   },
   {
    "box": {
     "id": "obj-23",
     "maxclass": "slider",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      390.0,
      140.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "floatoutput": 1,
     "size": 1.0,
     "min": 0.0,
     "orientation": 1,
     "presentation": 1,
     "presentation_rect": [
      24.0,
      390.0,
      140.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-24",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      390.0,
      74.0,
      22.0
     ],
     "text": "level_db",
     "presentation": 1,
     "presentation_rect": [
      188.0,
      390.0,
      74.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-25",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      338.0,
      420.0,
      158.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set level_db"
    }
   },
   {
    "box": {
     "id": "obj-26",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      450.0,
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
     "id": "obj-27",
     "maxclass": "newobj",
     "numinlets": 5,
     "numoutlets": 5,
     "patching_rect": [
      24.0,
      480.0,
      242.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      "",
      ""
     ],
     "text": "route parameter time levels ring"
    }
   },
   {
    "box": {
     "id": "obj-28",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      510.0,
      130.0,
      22.0
     ],
     "text": "print segue-lane"
    }
   },
   {
    "box": {
     "id": "obj-29",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 4,
     "patching_rect": [
      132.0,
      450.0,
      109.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "text": "segue.meter 0"
    }
   },
   {
    "box": {
     "id": "obj-30",
     "maxclass": "flonum",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      540.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      540.0,
      70.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-31",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      118.0,
      540.0,
      67.0,
      22.0
     ],
     "text": "peak dB",
     "presentation": 1,
     "presentation_rect": [
      118.0,
      540.0,
      67.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-32",
     "maxclass": "flonum",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      191.0,
      540.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      191.0,
      540.0,
      70.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-33",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      285.0,
      540.0,
      60.0,
      22.0
     ],
     "text": "RMS dB",
     "presentation": 1,
     "presentation_rect": [
      285.0,
      540.0,
      60.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-34",
     "maxclass": "flonum",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      351.0,
      540.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      351.0,
      540.0,
      70.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-35",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      445.0,
      540.0,
      74.0,
      22.0
     ],
     "text": "ready ms",
     "presentation": 1,
     "presentation_rect": [
      445.0,
      540.0,
      74.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-36",
     "maxclass": "flonum",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      525.0,
      540.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      525.0,
      540.0,
      70.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-37",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      619.0,
      540.0,
      81.0,
      22.0
     ],
     "text": "underruns",
     "presentation": 1,
     "presentation_rect": [
      619.0,
      540.0,
      81.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-38",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      24.0,
      600.0,
      260.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      600.0,
      260.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-39",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      188.0,
      600.0,
      249.0,
      22.0
     ],
     "text": "prompt 1, below left, then Return",
     "presentation": 1,
     "presentation_rect": [
      188.0,
      600.0,
      249.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-40",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      630.0,
      88.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-41",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      660.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-42",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      690.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend slot 1"
    }
   },
   {
    "box": {
     "id": "obj-43",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      118.0,
      630.0,
      260.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      118.0,
      630.0,
      260.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-44",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      282.0,
      630.0,
      256.0,
      22.0
     ],
     "text": "prompt 2, below right, then Return",
     "presentation": 1,
     "presentation_rect": [
      282.0,
      630.0,
      256.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-45",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      104.0,
      660.0,
      88.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-46",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      146.0,
      690.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-47",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      720.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend slot 2"
    }
   },
   {
    "box": {
     "id": "obj-48",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      198.0,
      660.0,
      260.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      198.0,
      660.0,
      260.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-49",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      362.0,
      660.0,
      249.0,
      22.0
     ],
     "text": "prompt 3, above left, then Return",
     "presentation": 1,
     "presentation_rect": [
      362.0,
      660.0,
      249.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-50",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      226.0,
      690.0,
      88.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-51",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      146.0,
      720.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-52",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      750.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend slot 3"
    }
   },
   {
    "box": {
     "id": "obj-53",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      320.0,
      690.0,
      260.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      320.0,
      690.0,
      260.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-54",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      484.0,
      690.0,
      256.0,
      22.0
     ],
     "text": "prompt 4, above right, then Return",
     "presentation": 1,
     "presentation_rect": [
      484.0,
      690.0,
      256.0,
      22.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-55",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      226.0,
      720.0,
      88.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-56",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      146.0,
      750.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-57",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      780.0,
      116.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend slot 4"
    }
   },
   {
    "box": {
     "id": "obj-58",
     "maxclass": "pictslider",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      840.0,
      140.0,
      140.0
     ],
     "outlettype": [
      "int",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      24.0,
      840.0,
      140.0,
      140.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-59",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      1020.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "/ 127."
    }
   },
   {
    "box": {
     "id": "obj-60",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      1050.0,
      88.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "pack 0. 0."
    }
   },
   {
    "box": {
     "id": "obj-61",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      90.0,
      1020.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "/ 127."
    }
   },
   {
    "box": {
     "id": "obj-62",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      1080.0,
      88.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend xy"
    }
   },
   {
    "box": {
     "id": "obj-63",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      1110.0,
      109.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "segue.morph 0"
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "source": [
      "obj-2",
      1
     ],
     "destination": [
      "obj-3",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-5",
      0
     ],
     "destination": [
      "obj-7",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-7",
      0
     ],
     "destination": [
      "obj-8",
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
      "obj-9",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-10",
      1
     ],
     "destination": [
      "obj-11",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-17",
      0
     ],
     "destination": [
      "obj-19",
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
      "obj-23",
      0
     ],
     "destination": [
      "obj-25",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-9",
      0
     ],
     "destination": [
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-11",
      0
     ],
     "destination": [
      "obj-26",
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
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-13",
      0
     ],
     "destination": [
      "obj-26",
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
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-15",
      0
     ],
     "destination": [
      "obj-26",
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
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-19",
      0
     ],
     "destination": [
      "obj-26",
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
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-25",
      0
     ],
     "destination": [
      "obj-26",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-26",
      0
     ],
     "destination": [
      "obj-27",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-27",
      0
     ],
     "destination": [
      "obj-28",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-29",
      0
     ],
     "destination": [
      "obj-30",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-29",
      1
     ],
     "destination": [
      "obj-32",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-29",
      2
     ],
     "destination": [
      "obj-34",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-29",
      3
     ],
     "destination": [
      "obj-36",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-38",
      0
     ],
     "destination": [
      "obj-40",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-40",
      0
     ],
     "destination": [
      "obj-41",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-41",
      0
     ],
     "destination": [
      "obj-42",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-43",
      0
     ],
     "destination": [
      "obj-45",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-45",
      0
     ],
     "destination": [
      "obj-46",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-46",
      0
     ],
     "destination": [
      "obj-47",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-48",
      0
     ],
     "destination": [
      "obj-50",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-50",
      0
     ],
     "destination": [
      "obj-51",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-51",
      0
     ],
     "destination": [
      "obj-52",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-53",
      0
     ],
     "destination": [
      "obj-55",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-55",
      0
     ],
     "destination": [
      "obj-56",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-56",
      0
     ],
     "destination": [
      "obj-57",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-58",
      0
     ],
     "destination": [
      "obj-59",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-59",
      0
     ],
     "destination": [
      "obj-60",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-58",
      1
     ],
     "destination": [
      "obj-61",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-61",
      0
     ],
     "destination": [
      "obj-60",
      1
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-60",
      0
     ],
     "destination": [
      "obj-62",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-42",
      0
     ],
     "destination": [
      "obj-63",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-47",
      0
     ],
     "destination": [
      "obj-63",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-52",
      0
     ],
     "destination": [
      "obj-63",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-57",
      0
     ],
     "destination": [
      "obj-63",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-62",
      0
     ],
     "destination": [
      "obj-63",
      0
     ]
    }
   }
  ],
  "dependency_cache": [],
  "autosave": 0
 }
}
