"""Plausible names of towns: common ones that many states share, and composed ones."""

from __future__ import annotations

import numpy as np

_COMMON = """
Ashland Auburn Aurora Bedford Belmont Benton Berlin Bethel Bloomfield Bristol Brookfield Burlington Camden Canton
Centerville Chester Clayton Cleveland Clinton Columbia Concord Cumberland Danville Dayton Decatur Delaware Dover Dublin
Eden Edgewood Edinburg Elgin Elmwood Eureka Fairfield Fairview Farmington Florence Franklin Fremont Fulton Garfield
Geneva Georgetown Glendale Glenwood Grafton Granville Greenfield Greenville Greenwood Hamilton Hanover Harrison Hartford
Hillsboro Holland Hudson Independence Jackson Jamestown Jefferson Kingston Lafayette Lakewood Lancaster Lebanon
Lexington Liberty Lincoln Linden Livingston Logan Lyons Madison Manchester Marion Marshall Medford Middletown Milford
Milton Monroe Monticello Montgomery Newport Newton Norfolk Oakland Oxford Palmyra Paris Perry Plymouth Portland
Princeton Quincy Randolph Richmond Riverside Rochester Rome Roseville Salem Sheridan Shelby Sidney Somerset Springfield
Sterling Stockton Summit Sunnyside Taylor Troy Union Vernon Vienna Walnut Warren Warsaw Washington Waterloo Waverly
Wayne Westfield Weston Wilson Winchester Windsor Woodstock York
"""

_STEMS = """
Alder Amber Ander Apple Arbor Ash Aspen Barn Bay Bear Beaver Beech Bell Bend Birch Black Blue Bluff Bow Brad Briar
Bridge Bright Brook Buck Buena Burn Cal Cane Carl Castle Cedar Chest Clear Cliff Clover Cold Cook Coral Cotton Crab
Crane Cross Crystal Cypress Dal Deer Derby Dog Dove Eagle East Edge Elk Elm Ever Fair Falcon Fern Flint Forest Fox Gar
Glen Gold Gran Green Grove Hal Har Haven Hazel Heron High Hill Holly Honey Horn Hunt Iron Ivy Juniper Kent Kings Lake
Lark Laurel Lime Lin Long Maple Marsh Meadow Mill Mist Moss Myrtle New Nor North Oak Olive Orchard Otter Palm Pearl Pine
Plain Pleasant Plum Pond Poplar Prairie Quail Queens Rail Raven Red Reed Ridge River Rock Rose Sage Salt Sand Shady
Shell Silver Spring Stan Star Still Stone Sugar Summer Sun Swan Sweet Thorn Timber Trout Valley Vine Walden Wal Water
West Wheat White Wild Willow Wind Winter Wolf Wood Wynd
"""

_ENDINGS = """
ville ton field burg wood dale port ford brook view mont land stead boro worth ham side well bury crest
"""

_SECONDS = """
Springs Heights Park Grove Beach Hills Valley Falls Creek Lake City Junction Point Bay Ridge Mills Village Station Harbor Center
"""

_FIRSTS = ("North", "South", "East", "West", "Mount", "Lake", "Fort", "Saint", "New", "Old", "Port", "Upper")


def town_names(random: np.random.Generator) -> tuple[list[str], int]:
    """About 26,000 different names and how many of them, at the head, are common to many states; the rest is shuffled."""
    common = _COMMON.split()
    stems, endings, seconds = _STEMS.split(), _ENDINGS.split(), _SECONDS.split()
    joined = [stem + ending for stem in stems for ending in endings if stem[-1].lower() != ending[0]]
    pairs = [f"{stem} {second}" for stem in stems for second in seconds if stem.lower() != second.lower()]
    bases = common + joined[::2]
    prefixed = [f"{first} {base}" for first in _FIRSTS for base in bases]
    composed = np.array(sorted(set(joined + pairs + prefixed) - set(common)))
    return common + [str(name) for name in random.permutation(composed)], len(common)
