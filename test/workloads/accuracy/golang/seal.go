package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
)

var (
	gcm              = newGCM()
	_, ed25519Key, _ = ed25519.GenerateKey(nil)
)

func newGCM() cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil
	}
	aead, _ := cipher.NewGCM(block)
	return aead
}

func seal(data []byte) {
	sealed := gcm.Seal(nil, make([]byte, gcm.NonceSize()), data, nil)
	sink.Add(int64(len(sealed)) + int64(ed25519.Sign(ed25519Key, data[:64])[0]))
}
