"""The sink: every platform's publishing paths on one port, in a process of its own, as cheap as they can be.

A bare asyncio protocol without a framework. It makes public what it is sent, remembers when each request was there in
whole, and can be asked what it has: by the product, as each platform is asked, and by the bench under `/_sink/`. It
refuses nothing that a platform would only refuse because it has the same post already: a double is to be counted.
"""
