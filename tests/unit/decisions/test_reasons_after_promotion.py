"""What is said after a promotion: rollbacks, watches, aliases that were moved by hand."""

import importlib.util
from pathlib import Path

import pytest
from ct_decisions.reasons import render

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("told", Path(__file__).with_name("told.py"))
told = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(told)
GATES, decision = told.GATES, told.decision


AFTER_PROMOTION = [
    (
        decision("ROLLBACK_ERRORS"),
        "Version 3 was taken out of production and version 4 was restored, because 4.1% of its last 812 requests got no answer"
        ", 0.40% of those of the version before (95% CI 2.9% to 5.7%; limit 1%). Not judged: the error on real prices, with 12 "
        "prices in 4 zip codes where it takes 200 in 10.",
        "Se retiró la versión 3 de producción y se restauró la versión 4 porque el 4,1 % de sus últimas 812 peticiones quedó "
        "sin respuesta, frente al 0,40 % con la versión anterior (IC95 2,9 % a 5,7 %; límite 1 %). No se juzgó: el error en "
        "precios reales, con 12 precios en 4 zonas postales y hacen falta 200 en 10.",
    ),
    (
        decision("ROLLBACK_QUALITY"),
        "Version 3 was taken out of production and version 4 was restored, because version 3 errs 12% more than the version "
        "before on 1,400 homes that are new to both (95% CI +8% to +16%; at most 5% more is allowed).",
        "Se retiró la versión 3 de producción y se restauró la versión 4 porque la versión 3 se equivoca un 12 % más que la "
        "versión anterior en 1.400 viviendas nuevas para ambas (IC95 +8 % a +16 %; se admite como mucho un 5 % más).",
    ),
    (
        decision("ROLLBACK_MANUAL"),
        "Version 3 was taken out of production and version 4 was restored at the request of Ana: new price list.",
        "Se retiró la versión 3 de producción y se restauró la versión 4 a petición de Ana: new price list.",
    ),
    (
        decision("ALIAS_MOVED_BY_HAND"),
        "The alias production was moved by hand from version 3 to version 4. Nothing was moved back: from now on challengers "
        "are compared with version 4.",
        "El alias production se movió a mano de la versión 3 a la versión 4.",
    ),
]


@pytest.mark.parametrize(("found", "english", "spanish"), AFTER_PROMOTION)
def test_what_happens_after_a_promotion_in_words(found, english, spanish):
    assert render(found, "en").startswith(english)
    assert render(found, "es").startswith(spanish)


def test_a_champion_that_stays_says_what_was_judged_and_what_was_not():
    found = decision("WATCH_SOUND")
    found["gates"] = [
        {**line, "verdict": "pass", "value": -0.2, "ci_low": -0.3, "ci_high": -0.1} if line["name"] == "error_new_homes"
        else {**line, "verdict": "n/a"} for line in GATES
    ]  # fmt: skip
    assert render(found, "en").startswith(
        "Version 3 stays in production: it errs 20% less than the version before on 1,400 homes that are new to both "
        "(95% CI −30% to −10%; at most 5% more is allowed). Not judged: the error on real prices"
    )
    found = decision("WATCH_NO_EVIDENCE")
    found["facts"]["unjudged"] = []
    assert "Not judged: no trigger of the policy is switched on." in render(found, "en")


def test_a_champion_without_a_version_to_go_back_to_is_said_loudly():
    found = decision("WATCH_NO_TARGET")
    found["facts"] |= {"failed": ["error_new_homes", "serving_errors"], "refused": "withdrawn"}
    assert "although it errs 12% more" in render(found, "en")
    assert "Version 3 stays in production" in render(found, "en")
    assert "version 4, the version before, was taken out of production itself" in render(found, "en")
    assert "Also: 4.1% of its last 812 requests got no answer" in render(found, "en")
    assert "la versión 4, la anterior, ya había sido retirada de producción" in render(found, "es")


@pytest.mark.parametrize(
    ("old", "new", "words"), [(None, "4", "from no version to version 4"), ("3", None, "version 3 to no version")]
)
def test_an_alias_that_was_set_or_removed_by_hand(old, new, words):
    found = decision("ALIAS_MOVED_BY_HAND") | {"champion_version": old, "challenger_version": new}
    found["facts"]["alias"] = "previous"
    assert words in render(found, "en")
    assert "compared" not in render(found, "en")
