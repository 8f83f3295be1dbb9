"""Networks that come with published weights, and the halves that are cut from them."""
