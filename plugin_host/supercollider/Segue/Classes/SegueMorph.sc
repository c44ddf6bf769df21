// Up to eight prompts of a lane, mixed by weights or by a point between four corners; scenes.
SegueMorph {
	var <lane, <weights, <>glide = 0;

	*new { |lane| ^super.newCopyArgs(lane ?? { Segue.default.lane(0) }) }

	slot { |number, text, at = \now, action| ^lane.ask("slot", [number, text, at], action) }

	// `beats`: in how many the weights are reached; without them, `glide`.
	prompts { |values, beats, at = \now, action| ^this.mix(\prompts, values, beats, at, action) }
	styles { |values, beats, at = \now, action| ^this.mix(\styles, values, beats, at, action) }
	mix { |what, values, beats, at, action|
		^lane.ask("morph", [what, beats ? glide, at] ++ values, { |answer| this.answered(answer, action) })
	}

	// Prompt 1 is below left (0, 0), 2 below right, 3 above left, 4 above right.
	xy { |x, y, beats, at = \now, action|
		^lane.ask("surface", [x, y, beats ? glide, at], { |answer| this.answered(answer, action) })
	}

	recall { |name, beats, at = \bar, action| ^lane.ask("recall", [name, beats ? glide, at], action) }
	save { |name, description = "", action| ^lane.segue.send("preset/save", [lane.number, name, description], action) }

	answered { |answer, action|
		weights = answer[0].asString.split($ ).collect(_.asFloat);
		action.value(answer);
	}
}
