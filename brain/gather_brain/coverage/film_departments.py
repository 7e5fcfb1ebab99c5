"""The usual film departments and what each should cover: data, where a description names too little.

Written for Gather from common film-production practice. A gloss says what belongs to an aspect; it is
embedded together with the name, since a bare word ("pacing") is near to few sentences that are about it.
"""

from typing import Final

from gather_brain.words import content_words, stem

_TABLE: Final[dict[str, dict[str, str]]] = {
    "story": {
        "premise": "the logline, what the film is about, the dramatic question and the stakes",
        "plot structure": "acts, beginning, middle and end, the order of events",
        "pacing": "tempo of the acts, where tension rises and where it rests, how long scenes last",
        "turning points": "reversals, discoveries and decisions after which nothing is as before",
        "character arcs": "how the protagonist and others change from the first scene to the last",
        "thematic development": "themes, motifs and symbols and how they grow through the film",
        "dialogue": "how people talk, sample lines, subtext, what is left unsaid",
        "conflict": "who wants what, who stands in the way, pressure and antagonists",
    },
    "character": {
        "motivation": "what a character wants and needs and why",
        "backstory": "what happened to a character before the film, wounds, family and past",
        "relationships": "bonds, rivalries, love and loyalty between characters",
        "voice": "how a character speaks, words, accent, rhythm, silence",
        "inner conflict": "doubt, fear, guilt and contradiction inside a character",
        "change": "how a character changes from beginning to end, and what it costs",
        "appearance": "body, face, posture, gestures and clothes of a character",
    },
    "visual": {
        "visual style": "the look of the film, references, texture and mood",
        "color palette": "colours of scenes, places and people, and what they mean",
        "lighting": "light sources, contrast, shadow, day and night",
        "composition": "framing, lines, foreground and background, symmetry, empty space",
        "motifs": "images, shapes and objects that return with meaning",
        "locations": "the places where the film happens and how they look",
    },
    "cinematography": {
        "lens choice": "focal lengths, depth of field, wide and long lenses, filters",
        "lighting design": "key light, practical lamps, contrast, colour temperature",
        "camera movement": "handheld, dolly, tripod, tracking and stillness",
        "framing": "composition, shot sizes, close-ups and wides, where faces stand in the frame",
        "exposure": "night scenes, stops, sensor, grain, highlights and blacks",
        "visual continuity": "matching light, direction and screen position from shot to shot",
    },
    "production-design": {
        "sets": "rooms, walls, furniture and how they are built",
        "props": "objects that people handle, their age and their story",
        "color palette": "paint, fabric and colours of the sets",
        "period detail": "signs of time and place, research, what would be wrong",
        "locations": "real places, how they are dressed and changed",
        "materials": "surfaces, wood, metal, stone, cloth, wear and texture",
        "world building": "rules, history and daily life of the film's world",
    },
    "costume": {
        "costumes": "clothes that characters wear, what they say of them",
        "silhouettes": "shapes and cuts of clothes for each character",
        "color palette": "colours of clothes and how they change with the story",
        "fabric": "materials, texture, weight and sound of clothes",
        "ageing": "wear, dirt, mending, blood and rain on clothes",
        "costume changes": "what each character wears in which scene, doubles and continuity",
        "period detail": "clothes that belong to the time, place and class",
    },
    "makeup": {
        "character looks": "faces, hair and skin of each character",
        "ageing": "how faces grow older, tired or ill",
        "wounds": "injuries, scars, blood and prosthetics",
        "hair": "cuts, wigs, colour and beards",
        "continuity": "how looks are matched from day to day",
    },
    "sound": {
        "ambience": "background sound of places, room tone, weather, crowd, sea and city",
        "sound effects": "foley, steps, doors, cloth and machines",
        "foley": "steps, cloth, hands and objects recorded for the film",
        "musical score": "music, themes, instruments, when it starts and stops",
        "silence": "where sound falls away and what is heard instead",
        "dialogue recording": "microphones, clean speech, wild lines and dubbing",
        "final mix": "levels, balance, surround, loud and quiet, deliverables",
    },
    "music": {
        "themes": "melodies and leitmotifs of characters and places",
        "instrumentation": "instruments, voices, orchestra and electronics",
        "spotting": "where music starts, stops and stays away",
        "source music": "songs and radios that the characters hear",
        "tone": "mood, harmony and tempo of the music",
    },
    "editing": {
        "cutting rhythm": "length of shots, tempo, when to hold and when to cut",
        "scene transitions": "dissolves, hard cuts, sound bridges, how one scene leads to the next",
        "point of view": "whose eyes and ears the scene follows, what the audience knows",
        "assembly order": "order of scenes, structure, parallel action, what moves or goes",
        "montage": "sequences that press time together, juxtaposed images",
        "test screenings": "what viewers understood, notes, questions and changes after them",
    },
    "visual-effects": {
        "shot list": "which shots need effects and how many",
        "plates": "what is filmed on set for effects, clean plates, tracking markers",
        "compositing": "layers, green screen, keys and integration",
        "digital extensions": "set extensions, crowds, skies and matte paintings",
        "delivery": "formats, resolution, deadlines and reviews",
    },
    "casting": {
        "lead roles": "who plays the main parts and what the part asks",
        "supporting roles": "smaller parts and who could play them",
        "chemistry": "how actors fit together, pairings and readings",
        "audition scenes": "scenes and lines to read at auditions",
        "extras": "background people, crowds and special skills",
    },
    "locations": {
        "places": "the places that the story needs and real ones that fit",
        "access": "roads, parking, power, permits and opening hours",
        "light and sound": "sun, noise and neighbours of a place",
        "dressing": "what must be changed at a place",
        "alternatives": "second choices and weather cover",
    },
    "production": {
        "shooting schedule": "shooting days, order of scenes, day and night, calendar",
        "budget planning": "costs, money, reserves, what is expensive and what is saved",
        "location logistics": "transport, unit base, parking, power and catering at locations",
        "crew safety": "hazards, water, heights, stunts, medics and rest hours",
        "permits and clearances": "permissions, rights, insurance, authorities and neighbours",
        "risk planning": "weather, illness, what can fail and the plan for it",
    },
    "directing": {
        "vision": "what the film is about for its director, tone, references and intention",
        "performances": "how actors are led, rehearsal, restraint, rhythm and truth of the acting",
        "blocking": "where people stand and move in a scene, entrances and exits",
        "tone": "the mix of humour, gravity and warmth, what is too much",
        "coverage": "shots that a scene needs, long takes and inserts",
    },
    "stunts": {
        "fights": "punches, weapons, choreography of a brawl, rehearsal and beats",
        "falls and wires": "high falls, harness, rigging, winches, mats and descents",
        "vehicles": "cars, motorbikes, chases, crashes and precision drivers",
        "fire and water": "burns, protective gel, tanks, underwater and breath-holding",
        "safety": "risk assessment, paramedics, briefings, limits and who may stop the shot",
        "doubles": "stand-ins who replace actors, likeness, what actors do themselves",
    },
    "special-effects": {
        "weather effects": "rain, snow, wind, fog and smoke made on set",
        "fire and explosions": "flames, pyrotechnics, charges, debris and distances",
        "mechanical rigs": "moving sets, hydraulics, breakaway props and gimbals",
        "safety": "permits, distances, extinguishers and briefings",
        "tests": "trials before shooting, resets and how often an effect can be repeated",
    },
    "intimacy-coordination": {
        "consent": "agreements, riders, limits of each performer, the right to say no",
        "choreography": "counted moves of intimate scenes, touch, breath and rehearsal",
        "closed set": "who may be in the room, monitors, phones and robes",
        "modesty garments": "covers, barriers, cushions, tape and flesh-coloured clothes",
        "aftercare": "talks after the scene, rest, follow-up calls and support",
    },
    "marketing": {
        "key art": "posters, images, title lettering and banners",
        "trailers": "teasers, spots, what is shown and what is held back",
        "audience": "who will watch the film, groups, ages and test screenings",
        "festivals": "premieres, competitions, submissions and markets",
        "press": "journalists, reviews, interviews, embargo and press kit",
        "social media": "clips, posts, followers, comments and campaigns",
    },
    "script-supervision": {
        "continuity": "props, hands, hair and clothes matched from shot to shot",
        "timing": "length of scenes, page counts and running time",
        "story days": "the calendar of the story, day, night and hour of each scene",
        "notes for editing": "takes, slates, good and bad, changes of dialogue",
        "eyelines": "axis, screen direction and looks",
    },
    "animal-coordination": {
        "animal welfare": "vet, rest, water, shade, heat and working hours of animals",
        "training": "cues, tricks, rewards, clicker and weeks of preparation",
        "animal casting": "breeds, candidates, understudies and temper of animals",
        "crew behaviour": "quiet, distance, feeding and who may speak to an animal",
        "transport and housing": "trailers, stables, journeys, papers and quarantine",
    },
    "choreography": {
        "movement language": "steps, gestures, style and what the dance says",
        "rehearsals": "weeks, rooms, counts and warm-up",
        "camera and dance": "how movement and camera work together",
        "ensemble": "groups, formations and soloists",
        "music and counts": "tempo, playback, cues and rhythm of the dance",
    },
}

DEPARTMENTS: Final[dict[str, tuple[str, ...]]] = {name: tuple(aspects) for name, aspects in _TABLE.items()}
"""Aspect names of each department, the most important first."""


GLOSSES_OF: Final = _TABLE
"""Glosses of each department, by the aspect's name."""

ALIASES: Final[dict[str, str]] = {
    "screenplay": "story", "script": "story", "writing": "story", "writers": "story", "narrative": "story",
    "characters": "character",
    "camera": "cinematography", "photography": "cinematography", "dop": "cinematography",
    "lighting": "cinematography",
    "art": "production-design", "set-design": "production-design", "props": "production-design",
    "design": "production-design",
    "costumes": "costume", "wardrobe": "costume",
    "make-up": "makeup", "hair": "makeup", "sfx-makeup": "makeup",
    "audio": "sound", "sound-design": "sound", "score": "music", "composer": "music", "soundtrack": "music",
    "edit": "editing", "editorial": "editing", "post": "editing", "post-production": "editing",
    "vfx": "visual-effects", "cgi": "visual-effects", "digital-effects": "visual-effects",
    "sfx": "special-effects", "cast": "casting", "location": "locations", "scouting": "locations",
    "producing": "production", "line-production": "production", "logistics": "production",
    "stunt": "stunts", "action": "stunts", "intimacy": "intimacy-coordination",
    "publicity": "marketing", "promotion": "marketing", "distribution": "marketing",
    "continuity": "script-supervision", "animals": "animal-coordination", "animal": "animal-coordination",
    "choreography": "choreography", "dance": "choreography", "director": "directing",
    "direction": "directing",
}  # fmt: skip
"""Other words for the departments above."""


def aspect_key(name: str) -> frozenset[str]:
    """Return the stems of an aspect's words, by which two spellings of it are the same."""
    return frozenset(stem(word) for word in content_words(name.lower().replace("colour", "color")))


GLOSSES: Final[dict[frozenset[str], str]] = {
    aspect_key(name): gloss for aspects in reversed(list(_TABLE.values())) for name, gloss in aspects.items()
}
"""Gloss by `aspect_key`; of two departments with one aspect the earlier one's gloss stays."""

COMMON_ASPECTS: Final = tuple(
    dict.fromkeys(f"{name}: {gloss}" for aspects in _TABLE.values() for name, gloss in aspects.items())
)
"""What film notes are usually about, for telling what is about none of a department's own aspects."""
