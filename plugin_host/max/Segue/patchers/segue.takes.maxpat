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
   550.0,
   240.0
  ],
  "openinpresentation": 0,
  "boxes": [
   {
    "box": {
     "id": "obj-1",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      30.0,
      88.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r segue.in"
    }
   },
   {
    "box": {
     "id": "obj-2",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      24.0,
      60.0,
      179.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /segue/event/take"
    }
   },
   {
    "box": {
     "id": "obj-3",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      24.0,
      90.0,
      102.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      ""
     ],
     "text": "unpack 0 s s"
    }
   },
   {
    "box": {
     "id": "obj-4",
     "maxclass": "inlet",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      24.0,
      0.0,
      53.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "comment": "",
     "index": 24
    }
   },
   {
    "box": {
     "id": "obj-5",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      118.0,
      30.0,
      326.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "node.script segue.takes.js 9610 @autostart 1"
    }
   },
   {
    "box": {
     "id": "obj-6",
     "maxclass": "outlet",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      24.0,
      150.0,
      60.0,
      22.0
     ],
     "comment": "",
     "index": 24
    }
   },
   {
    "box": {
     "id": "obj-7",
     "maxclass": "outlet",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      114.0,
      150.0,
      60.0,
      22.0
     ],
     "comment": "",
     "index": 114
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "source": [
      "obj-1",
      0
     ],
     "destination": [
      "obj-2",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-2",
      0
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
      "obj-4",
      0
     ],
     "destination": [
      "obj-5",
      0
     ]
    }
   },
   {
    "patchline": {
     "source": [
      "obj-3",
      2
     ],
     "destination": [
      "obj-6",
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
   }
  ],
  "dependency_cache": [],
  "autosave": 0
 }
}
