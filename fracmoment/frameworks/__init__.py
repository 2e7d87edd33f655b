"""Adapters: the schemes of this package as initializers of torch, JAX and Keras.

Nothing of a framework is imported before its module is: ``from fracmoment.frameworks import torch``
needs torch (the extra ``fracmoment[torch]``), and so on. Scales and structure come from
`fracmoment.schemes`; every random number is drawn by the framework's own generator.
"""
