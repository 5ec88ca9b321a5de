from __future__ import annotations

import pytest
from ct_dashboard.api import Api, ApiFailedError
from ct_dashboard.settings import Settings
from ct_serving.keys import hash_of

pytestmark = pytest.mark.integration

KEY = "ct_of the tests"


def test_the_dashboard_sends_its_key(start_api):
    address = start_api("3", api_keys=f"dashboard:{hash_of(KEY.encode()).decode()}")
    settings = Settings.from_environment({"CT_SERVING_URL": address, "CT_SERVING_KEY": KEY})
    assert KEY not in repr(settings)
    assert Api(settings.serving_url, settings.serving_key).model().version == "3"
    with pytest.raises(ApiFailedError) as caught:
        Api(address).model()
    assert caught.value.status == 401
