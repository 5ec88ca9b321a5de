"""The states of the market: how many complete listings each has, its price level and spread, homes, and postal prefixes.

The first 25 rows hold measured values of public listings; in the others the count and the median price are measured and
the rest is a plausible value. Postal prefixes and the largest cities are public geography.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """One state: ``weight`` complete listings of a sample, ``level`` and ``spread`` of the log price in dollars.

    ``size`` square feet and ``lot`` acres are medians, ``sold`` a share, ``zips`` and ``cities`` counts seen in the
    sample, ``prefixes`` ranges of three-digit postal prefixes, ``majors`` cities as (name, prefix, share of the state).
    """

    name: str
    weight: float
    level: float
    spread: float
    size: float
    lot: float
    sold: float
    zips: int
    cities: int
    prefixes: str
    majors: tuple[tuple[str, int, float], ...]


_TABLE = """
Puerto Rico|9|12.74|.70|1500|.15|.50|70|60|006-007,009|San Juan 9 .20;Ponce 7 .06;Aguadilla 6 .05;Dorado 6 .04
Virgin Islands|.6|12.95|.70|1500|.25|.30|8|4|008-008|Charlotte Amalie 8 .4
Massachusetts|1158|13.21|.64|1802|.29|.89|407|322|010-027|Boston 21 .06;Worcester 16 .04;Springfield 11 .03
Rhode Island|236|12.87|.50|1600|.20|.60|70|45|028-029|Providence 29 .14;Warwick 28 .09;Cranston 29 .07
New Hampshire|34|12.98|.50|1750|.60|.40|140|130|030-038|Manchester 31 .09;Nashua 30 .07
Maine|18|12.89|.60|1700|.80|.40|200|190|039-049|Portland 41 .06;Bangor 44 .04
Vermont|24|12.77|.55|1700|.70|.40|130|125|050-059|Burlington 54 .07
Connecticut|257|12.86|.60|1750|.40|.52|230|160|060-069|Hartford 61 .04;Bridgeport 66 .04;Stamford 69 .04
New Jersey|703|12.89|.69|1800|.20|.41|461|488|070-089|Newark 71 .02;Jersey City 73 .03;Toms River 87 .02
New York|1792|12.69|1.00|1712|.24|.53|1063|925|100-149|New York City 100 .125;Buffalo 142 .035;Rochester 146 .04
Pennsylvania|1930|12.44|.71|1680|.20|.55|828|743|150-196|Philadelphia 191 .13;Pittsburgh 152 .07;Reading 196 .02
Delaware|209|12.71|.50|1850|.25|.57|55|40|197-199|Wilmington 198 .16;Dover 199 .10
Washington, DC|116|13.50|.60|1500|.06|.55|28|1|200-200|Washington 200 .98
Maryland|1419|12.88|.62|1904|.20|.62|319|283|206-219|Baltimore 212 .157;Silver Spring 209 .04;Frederick 217 .03
Virginia|1725|12.95|.67|2016|.27|.66|559|438|220-246|Richmond 232 .13;Virginia Beach 234 .05;Alexandria 223 .04
West Virginia|196|12.30|.70|1700|.40|.55|200|180|247-268|Charleston 253 .05;Huntington 257 .05
North Carolina|1193|12.69|.60|1775|.34|.62|586|517|270-289|Charlotte 282 .06;Raleigh 276 .05;Greensboro 274 .03
South Carolina|459|12.70|.62|1850|.30|.45|260|210|290-299|Columbia 292 .05;Charleston 294 .05;Myrtle Beach 295 .06
Georgia|1908|12.69|.62|1965|.39|.53|488|393|300-319,398-399|Atlanta 303 .08;Savannah 314 .03;Marietta 300 .03
Florida|4816|12.94|.76|1715|.21|.47|877|530|320-349|Jacksonville 322 .048;Miami 331 .036;Tampa 336 .03;Orlando 328 .03
Alabama|469|12.34|.76|1815|.38|.51|354|284|350-369|Birmingham 352 .09;Huntsville 358 .06;Mobile 366 .05
Tennessee|580|12.73|.66|1800|.41|.28|418|332|370-385|Nashville 372 .07;Memphis 381 .07;Knoxville 379 .06
Mississippi|99|12.37|.65|1800|.50|.40|180|150|386-397|Jackson 392 .07;Gulfport 395 .05
Kentucky|457|12.30|.66|1700|.30|.55|330|270|400-427|Louisville 402 .16;Lexington 405 .08
Ohio|1533|12.11|.71|1667|.22|.50|648|587|430-459|Columbus 432 .08;Cleveland 441 .06;Cincinnati 452 .07;Toledo 436 .03
Indiana|262|12.38|.66|1750|.25|.40|380|330|460-479|Indianapolis 462 .14;Fort Wayne 468 .05
Michigan|694|12.20|.83|1504|.27|.30|583|548|480-499|Detroit 482 .07;Grand Rapids 495 .04;Lansing 489 .03
Iowa|559|12.21|.66|1439|.22|.62|285|252|500-528|Des Moines 503 .10;Cedar Rapids 524 .06
Wisconsin|569|12.44|.62|1770|.29|.56|486|460|530-549|Milwaukee 532 .10;Madison 537 .05
Minnesota|1219|12.68|.56|2067|.23|.60|434|405|550-567|Minneapolis 554 .09;Saint Paul 551 .06;Rochester 559 .03
South Dakota|21|12.42|.60|1800|.35|.40|90|80|570-577|Sioux Falls 571 .15
North Dakota|52|12.58|.50|2000|.25|.45|90|75|580-588|Fargo 581 .20;Bismarck 585 .15
Montana|151|13.09|.65|1900|.40|.40|140|110|590-599|Billings 591 .13;Missoula 598 .09
Illinois|1636|12.46|.78|1726|.20|.52|668|599|600-629|Chicago 606 .22;Rockford 611 .03;Springfield 627 .02
Missouri|952|12.31|.71|1640|.22|.59|448|381|630-658|Saint Louis 631 .17;Kansas City 641 .12;Springfield 658 .03
Kansas|326|12.11|.72|1700|.22|.55|230|190|660-679|Wichita 672 .16;Overland Park 662 .07
Nebraska|128|12.40|.60|1800|.22|.50|140|115|680-693|Omaha 681 .25;Lincoln 685 .14
Louisiana|381|12.42|.65|1780|.25|.45|260|190|700-714|New Orleans 701 .10;Baton Rouge 708 .09;Shreveport 711 .06
Arkansas|341|12.46|.65|1800|.33|.50|260|220|716-729|Little Rock 722 .08;Fayetteville 727 .05
Oklahoma|1037|12.28|.70|1733|.22|.67|322|257|730-749|Oklahoma City 731 .17;Tulsa 741 .14
Texas|4761|12.75|.60|1993|.19|.65|1311|923|750-799|Houston 770 .11;San Antonio 782 .04;Dallas 752 .04;Austin 787 .04
Colorado|733|13.34|.61|2331|.17|.26|323|235|800-816|Denver 802 .12;Colorado Springs 809 .09;Aurora 800 .06
Wyoming|25|12.96|.60|1900|.35|.40|60|55|820-831|Cheyenne 820 .15;Casper 826 .15
Idaho|368|13.09|.55|1900|.25|.45|140|110|832-838|Boise 837 .13;Meridian 836 .09
Utah|173|13.30|.50|2400|.22|.35|150|110|840-847|Salt Lake City 841 .12;Saint George 847 .08
Arizona|2265|12.97|.61|1727|.17|.62|303|173|850-865|Phoenix 850 .115;Tucson 857 .126;Mesa 852 .05;Scottsdale 852 .04
New Mexico|386|12.61|.63|1780|.22|.60|170|130|870-884|Albuquerque 871 .28;Santa Fe 875 .08
Nevada|310|13.12|.55|1780|.15|.45|110|45|889-898|Las Vegas 891 .50;Reno 895 .13
California|7053|13.57|.69|1649|.17|.66|1367|923|900-961|Los Angeles 900 .04;San Diego 921 .03;Sacramento 958 .03
Hawaii|136|13.70|.70|1450|.20|.45|75|60|967-968|Honolulu 968 .25;Kailua 967 .06
Oregon|759|13.19|.49|1778|.18|.47|258|211|970-979|Portland 972 .15;Eugene 974 .05;Salem 973 .05
Washington|1861|13.27|.56|1808|.20|.71|409|310|980-994|Seattle 981 .08;Spokane 992 .05;Vancouver 986 .04
Alaska|20|12.89|.50|1800|.30|.40|60|45|995-999|Anchorage 995 .30
"""

_RENAMED = {"Washington, DC": "District of Columbia"}


def _parse(line: str) -> State:
    name, weight, level, spread, size, lot, sold, zips, cities, prefixes, majors = line.split("|")
    cities_of_note = []
    for entry in majors.split(";"):
        city, prefix, share = entry.rsplit(" ", 2)
        cities_of_note.append((city, int(prefix), float(share)))
    numbers = (float(weight), float(level), float(spread), float(size), float(lot), float(sold))
    return State(_RENAMED.get(name, name), *numbers, int(zips), int(cities), prefixes, tuple(cities_of_note))


STATES: tuple[State, ...] = tuple(_parse(line) for line in _TABLE.strip().splitlines())


def prefixes_of(state: State) -> list[int]:
    """The three-digit postal prefixes of a state as numbers: 16 stands for ``016``."""
    found: list[int] = []
    for part in state.prefixes.split(","):
        first, last = part.split("-") if "-" in part else (part, part)
        found.extend(range(int(first), int(last) + 1))
    return found
