"""`segue demo`: the main job, its picture and its report."""
