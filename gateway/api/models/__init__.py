"""The shapes that go over the wire. Views parse into them and render from them; the OpenAPI document is made of them."""
