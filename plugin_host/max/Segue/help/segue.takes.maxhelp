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
   1005.0,
   510.0
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
      277.0,
      22.0
     ],
     "text": "segue.takes: Takes, and their history"
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
      648.0,
      22.0
     ],
     "text": "Orders takes from segue watch, which must run, and tells the file of each when it is made."
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
      340.0,
      22.0
     ],
     "text": "argument: port (9610): UDP port of segue watch"
    }
   },
   {
    "box": {
     "id": "obj-4",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      120.0,
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
     "id": "obj-5",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      150.0,
      319.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "order /path/riff.wav continue 120 4 4 0 8 2"
    }
   },
   {
    "box": {
     "id": "obj-6",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      349.0,
      150.0,
      522.0,
      22.0
     ],
     "text": "two takes of eight bars: file, role, tempo, signature, beat, bars, takes"
    }
   },
   {
    "box": {
     "id": "obj-7",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      180.0,
      39.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "all"
    }
   },
   {
    "box": {
     "id": "obj-8",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      69.0,
      180.0,
      186.0,
      22.0
     ],
     "text": "the numbers of all takes"
    }
   },
   {
    "box": {
     "id": "obj-9",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      210.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "node 1"
    }
   },
   {
    "box": {
     "id": "obj-10",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      90.0,
      210.0,
      270.0,
      22.0
     ],
     "text": "one take: file, prompt, seed, rating"
    }
   },
   {
    "box": {
     "id": "obj-11",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      240.0,
      60.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "keep 1"
    }
   },
   {
    "box": {
     "id": "obj-12",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      90.0,
      240.0,
      67.0,
      22.0
     ],
     "text": "keep it"
    }
   },
   {
    "box": {
     "id": "obj-13",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      270.0,
      74.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "rate 1 5"
    }
   },
   {
    "box": {
     "id": "obj-14",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      104.0,
      270.0,
      88.0,
      22.0
     ],
     "text": "five stars"
    }
   },
   {
    "box": {
     "id": "obj-15",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      300.0,
      88.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "extend 8 2"
    }
   },
   {
    "box": {
     "id": "obj-16",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      118.0,
      300.0,
      214.0,
      22.0
     ],
     "text": "two that go on from the head"
    }
   },
   {
    "box": {
     "id": "obj-17",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      330.0,
      46.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "undo"
    }
   },
   {
    "box": {
     "id": "obj-18",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      76.0,
      330.0,
      193.0,
      22.0
     ],
     "text": "the last move of the head"
    }
   },
   {
    "box": {
     "id": "obj-19",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      360.0,
      130.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "segue.takes 9610"
    }
   },
   {
    "box": {
     "id": "obj-20",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      390.0,
      109.0,
      22.0
     ],
     "text": "print takes-1"
    }
   },
   {
    "box": {
     "id": "obj-21",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      139.0,
      390.0,
      312.0,
      22.0
     ],
     "text": "outlet 1: the file of a take that was made"
    }
   },
   {
    "box": {
     "id": "obj-22",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      420.0,
      109.0,
      22.0
     ],
     "text": "print takes-2"
    }
   },
   {
    "box": {
     "id": "obj-23",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      139.0,
      420.0,
      466.0,
      22.0
     ],
     "text": "outlet 2: answers of segue watch: ok ID address values, or error"
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "source": [
      "obj-5",
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
      "obj-7",
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
      "obj-9",
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
      "obj-11",
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
      "obj-13",
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
      "obj-15",
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
      "obj-19",
      0
     ],
     "destination": [
      "obj-20",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-19",
      1
     ],
     "destination": [
      "obj-22",
      0
     ]
    }
   }
  ],
  "dependency_cache": [],
  "autosave": 0
 }
}
